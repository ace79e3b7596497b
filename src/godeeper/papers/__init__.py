"""What the papers print: the tables, their arithmetic, the facts, and the audit of one against the other. No torch."""
