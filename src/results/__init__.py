"""What runs leave, and what it says: records, rows, measures, tables, figures, the report.

Nothing here trains, or imports what does.
"""
