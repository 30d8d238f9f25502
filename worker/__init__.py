"""The Celery workers: claim a row, make a call, write down what came back."""
