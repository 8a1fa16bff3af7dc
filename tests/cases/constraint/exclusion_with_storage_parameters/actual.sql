CREATE TABLE kept (a int, CONSTRAINT c EXCLUDE USING btree (a WITH =) WITH (fillfactor = 80) WHERE (a > 0));
