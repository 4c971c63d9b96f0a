"""What runs leave, and what it says."""
