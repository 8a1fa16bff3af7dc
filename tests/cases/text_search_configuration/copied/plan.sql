\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TEXT SEARCH CONFIGURATION public.new (PARSER = "default");
ALTER TEXT SEARCH CONFIGURATION public.new ADD MAPPING FOR "int", url, file, host, uint, word, email, "float", hword, sfloat, numword, version, numhword, url_path, asciihword, hword_part, hword_numpart, hword_asciipart WITH simple;
ALTER TEXT SEARCH CONFIGURATION public.new ADD MAPPING FOR asciiword WITH english_stem;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TEXT SEARCH CONFIGURATION public.old ADD MAPPING FOR asciiword WITH english_stem;
COMMIT;
