"""The manifests of Preceptor: plain kustomize under `base` and `overlays`, and the commands that keep them right."""
