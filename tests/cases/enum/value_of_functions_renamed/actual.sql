CREATE TYPE public.status AS ENUM ('new', 'paid', 'gone');
CREATE DOMAIN public.open_status AS public.status CHECK (VALUE <> 'gone');
CREATE TABLE public.orders (id int PRIMARY KEY, status public.status DEFAULT 'new');
CREATE TABLE public.offers (id int PRIMARY KEY, status public.open_status);
CREATE VIEW public.fresh AS SELECT * FROM public.orders WHERE status = 'new';
CREATE FUNCTION public.names_table() RETURNS bigint LANGUAGE sql
    AS 'SELECT count(*) FROM public.orders WHERE status = ''new''';
CREATE FUNCTION public.names_domain() RETURNS bigint LANGUAGE plpgsql
    AS 'BEGIN RETURN (SELECT count(*) FROM public.offers WHERE status = ''gone''); END';
CREATE FUNCTION public.takes_value(s public.status) RETURNS boolean LANGUAGE plpgsql
    AS 'BEGIN RETURN s = ''new''; END';
CREATE FUNCTION public.of_trigger() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN IF new.status = ''new'' THEN RAISE NOTICE ''new''; END IF; RETURN new; END';
CREATE TRIGGER told BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.of_trigger();
CREATE FUNCTION public.no_value() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER untold BEFORE INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.no_value();
CREATE FUNCTION public.of_another() RETURNS text LANGUAGE sql AS 'SELECT ''new''::text';
CREATE FUNCTION public.mended() RETURNS bigint LANGUAGE sql
    AS 'SELECT count(*) FROM public.orders WHERE status = ''new''';
