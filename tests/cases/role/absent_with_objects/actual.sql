DROP ROLE IF EXISTS case_leaver;
DO $$ BEGIN CREATE ROLE case_heir; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
COMMENT ON ROLE case_heir IS NULL;
CREATE ROLE case_leaver;
CREATE TABLE public.t (id bigint);
ALTER TABLE public.t OWNER TO case_leaver;
CREATE TABLE public.u (id bigint);
GRANT SELECT ON public.u TO case_leaver;
