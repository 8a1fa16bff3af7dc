DO $$ DECLARE r text; BEGIN
    FOREACH r IN ARRAY ARRAY['case_reader', 'case_writer', 'case_owner'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
    END LOOP;
EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL;
END $$;
CREATE FOREIGN DATA WRAPPER files OPTIONS (debug 'false');
CREATE SERVER one FOREIGN DATA WRAPPER files;
CREATE SERVER two FOREIGN DATA WRAPPER files;
CREATE FOREIGN TABLE stays (id int, b int) SERVER one OPTIONS (fetch_size '1', batch_size '2', api_key 'hush');
CREATE FOREIGN TABLE moves (id int) SERVER one;
COMMENT ON FOREIGN TABLE moves IS 'kept';
GRANT SELECT ON moves TO case_reader;
CREATE VIEW seen AS SELECT id FROM moves;
GRANT SELECT ON seen TO case_reader;
