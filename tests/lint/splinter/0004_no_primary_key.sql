-- It finds a table without a primary key.
CREATE TABLE events (happened timestamptz);
