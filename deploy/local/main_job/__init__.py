"""The main job, done through the public API alone: a vendor pushes, experts answer, results go back, money arrives."""
