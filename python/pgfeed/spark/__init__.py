"""The similarity of users on Spark: for more users than one machine multiplies in a night."""
