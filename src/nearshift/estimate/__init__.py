"""What a pipeline's traffic would need and cost on AWS."""
