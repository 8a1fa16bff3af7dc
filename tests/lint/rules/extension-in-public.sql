CREATE EXTENSION citext SCHEMA public;
-- passing
CREATE EXTENSION pg_trgm;
