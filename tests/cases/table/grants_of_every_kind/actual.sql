DO $$ DECLARE r text; BEGIN
    FOREACH r IN ARRAY ARRAY['case_reader', 'case_writer', 'case_owner'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
    END LOOP;
EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL;
END $$;
CREATE TABLE t (id int);
GRANT SELECT, INSERT ON t TO case_reader;
GRANT ALL ON t TO case_writer WITH GRANT OPTION;
SET ROLE case_writer;
GRANT SELECT ON t TO case_owner;
RESET ROLE;
CREATE TABLE moves (id int);
GRANT SELECT ON moves TO case_owner;
REVOKE DELETE ON moves FROM CURRENT_USER;
CREATE TABLE same (id int);
