CREATE SCHEMA app;
CREATE TABLE app.documents (id integer PRIMARY KEY, owner text);
ALTER TABLE app.documents ENABLE ROW LEVEL SECURITY;
