"""Plans, runs and stores for people: tables, pages, maps, progress. Values import none of these."""
