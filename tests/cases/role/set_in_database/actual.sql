DROP ROLE IF EXISTS case_set;
CREATE ROLE case_set;
