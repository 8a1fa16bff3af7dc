\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TEXT SEARCH DICTIONARY public.one (stopwords, accept = 'false');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TEXT SEARCH CONFIGURATION public.product;
DROP TEXT SEARCH DICTIONARY public.two;
CREATE TEXT SEARCH DICTIONARY public.two (TEMPLATE = snowball, language = 'german');
CREATE TEXT SEARCH CONFIGURATION public.product (PARSER = "default");
ALTER TEXT SEARCH CONFIGURATION public.product ADD MAPPING FOR word WITH public.one, public.two;
COMMENT ON TEXT SEARCH CONFIGURATION public.product IS 'kept';
COMMIT;
