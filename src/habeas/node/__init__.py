"""One machine's installation while it runs: time, keys, gallery, workers, alerts, and the work of each second."""
