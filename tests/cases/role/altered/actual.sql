DROP ROLE IF EXISTS case_altered;
CREATE ROLE case_altered LOGIN CREATEDB CONNECTION LIMIT 5 VALID UNTIL '2030-01-31 12:00+01';
ALTER ROLE case_altered SET work_mem = '4MB';
ALTER ROLE case_altered SET lock_timeout = '1s';
COMMENT ON ROLE case_altered IS 'before';
