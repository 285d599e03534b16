"""A company's node of a network: its folder, its engine, and who watches over both."""
