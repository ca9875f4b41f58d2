"""On-policy answers: an `Example` becomes an `Answer` in a model's own words."""
