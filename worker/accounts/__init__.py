"""What every call to Postiz needs: claim, lease, pace, eligibility, and the policy for errors."""
