"""The smallest edit that makes it right. Knows nothing of how a claim was judged."""
