"""Who calls the Application: the embedded driver, and what all drivers share (blocks, history, verification)."""
