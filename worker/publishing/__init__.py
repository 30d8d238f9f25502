"""From drafts to published posts: release, reconcile, park, track, cancel."""
