"""What each network demands, allows and warns of, as data and as checks of one post."""
