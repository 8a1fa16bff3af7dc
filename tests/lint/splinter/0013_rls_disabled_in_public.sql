-- It finds a table that requests can reach, and that has no row level security.
CREATE TABLE blog (id int PRIMARY KEY, title text);
GRANT SELECT, INSERT ON blog TO anon;
