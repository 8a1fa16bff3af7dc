-- It finds row level security on a table without any policy.
CREATE TABLE blog (id int PRIMARY KEY);
ALTER TABLE blog ENABLE ROW LEVEL SECURITY;
