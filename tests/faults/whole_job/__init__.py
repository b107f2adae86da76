"""The main job on real processes while things are killed, stopped, cut, repeated and poisoned by seed."""
