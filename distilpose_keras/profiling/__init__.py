"""What models and files cost: parameters and multiply-accumulates."""
