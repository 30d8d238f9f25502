"""What turns a request into posts: shapes, rows, validation, and the rows of a job."""
