"""From due posts to drafts in Postiz: batches, creation, adoption, and orphan drafts."""
