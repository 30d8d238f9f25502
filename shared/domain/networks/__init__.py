"""What each network requires, allows and warns about, as data and as checks of one post."""
