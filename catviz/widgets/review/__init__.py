"""Looking at annotated texts one by one, with a verdict on each causal signal."""
