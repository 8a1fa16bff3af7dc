\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_784108c5d26f ON public.t (b);

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_6d6cdb15ae08 ON public.t (a);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.f DROP CONSTRAINT fa;
ALTER TABLE public.f DROP CONSTRAINT fb;
ALTER TABLE public.t DROP CONSTRAINT x;
ALTER TABLE public.t ADD CONSTRAINT x UNIQUE USING INDEX reconcile_784108c5d26f;
ALTER TABLE public.t DROP CONSTRAINT y;
ALTER TABLE public.f ADD CONSTRAINT fa FOREIGN KEY (b) REFERENCES public.t(b) NOT VALID;
COMMENT ON CONSTRAINT fa ON public.f IS 'reconcile is about to validate this again. ';
ALTER TABLE public.t ADD CONSTRAINT y UNIQUE USING INDEX reconcile_6d6cdb15ae08;
ALTER TABLE public.f ADD CONSTRAINT fb FOREIGN KEY (a) REFERENCES public.t(a) NOT VALID;
COMMENT ON CONSTRAINT fb ON public.f IS 'reconcile is about to validate this again. ';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.f VALIDATE CONSTRAINT fa;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT fa ON public.f IS NULL;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.f VALIDATE CONSTRAINT fb;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT fb ON public.f IS NULL;
COMMIT;
