DO $$ DECLARE r text; BEGIN
    FOREACH r IN ARRAY ARRAY['case_reader', 'case_writer', 'case_owner'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
    END LOOP;
EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL;
END $$;
CREATE FOREIGN DATA WRAPPER files OPTIONS (debug 'false');
CREATE SERVER one FOREIGN DATA WRAPPER files OPTIONS (host 'a', port '1');
CREATE SERVER two TYPE 'x' FOREIGN DATA WRAPPER files;
CREATE USER MAPPING FOR PUBLIC SERVER two OPTIONS (user 'n');
CREATE FOREIGN TABLE far (id int) SERVER two;
GRANT SELECT ON far TO case_reader;
