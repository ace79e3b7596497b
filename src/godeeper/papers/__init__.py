"""The papers as data: the tables, their arithmetic, the printed values, and the audit that compares them. No torch."""
