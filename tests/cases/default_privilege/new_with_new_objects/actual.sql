DO $$ DECLARE r text; BEGIN
    FOREACH r IN ARRAY ARRAY['case_reader', 'case_writer', 'case_owner'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
    END LOOP;
EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL;
END $$;
CREATE SCHEMA app;
