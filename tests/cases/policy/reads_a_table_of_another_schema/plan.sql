\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE SCHEMA access;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE access.members (
    name text NOT NULL
);
ALTER TABLE access.members ADD CONSTRAINT members_pkey PRIMARY KEY (name);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE POLICY members ON app.documents FOR ALL TO PUBLIC USING ((owner IN ( SELECT m.name
   FROM access.members m)));
COMMIT;
