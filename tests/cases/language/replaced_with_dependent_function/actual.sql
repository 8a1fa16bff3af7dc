DO $$ DECLARE r text; BEGIN
    FOREACH r IN ARRAY ARRAY['case_reader', 'case_writer', 'case_owner'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I', r); END IF;
    END LOOP;
EXCEPTION WHEN unique_violation OR duplicate_object THEN NULL;
END $$;
CREATE TRUSTED LANGUAGE plx HANDLER plpgsql_call_handler;
REVOKE USAGE ON LANGUAGE plx FROM PUBLIC;
CREATE FUNCTION f() RETURNS int LANGUAGE plx AS 'begin return 1; end';
GRANT EXECUTE ON FUNCTION f() TO case_reader;
