"""What a user would write first, on the queues there are: a task and a counted call for each post.

Nothing is written down, checked or paced. Each module runs in an environment of its own with its
library (tests/bench/requirements.txt), so none of them imports another package of Pressroom.
"""
