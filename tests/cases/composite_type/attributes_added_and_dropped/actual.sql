CREATE TYPE public.address AS (street text, zip varchar(5), gone int);
CREATE TABLE public.people (home public.address);
