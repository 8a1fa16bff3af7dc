CREATE TABLE public.people (id int PRIMARY KEY, first text, last text, full_name text NOT NULL, born int);
CREATE FUNCTION public.reconcile_fill_people_full_name() RETURNS trigger LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp AS
'BEGIN
  NEW.full_name := (SELECT ((first || '' ''::text) || last) FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
CREATE TRIGGER reconcile_fill_full_name BEFORE INSERT OR UPDATE ON public.people
FOR EACH ROW WHEN (NEW.full_name IS NULL) EXECUTE FUNCTION public.reconcile_fill_people_full_name();
CREATE FUNCTION public.reconcile_fill_people_born() RETURNS trigger LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp AS
'BEGIN
  NEW.born := (SELECT 1900 FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
CREATE TRIGGER reconcile_fill_born BEFORE INSERT OR UPDATE ON public.people
FOR EACH ROW WHEN (NEW.born IS NULL) EXECUTE FUNCTION public.reconcile_fill_people_born();
CREATE TABLE public.pets (name text, sort text);
CREATE FUNCTION public.reconcile_fill_pets_sort() RETURNS trigger LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp AS
'BEGIN
  NEW.sort := (SELECT ''cat''::text FROM (SELECT NEW.*) AS pets);
  RETURN NEW;
END';
CREATE TRIGGER reconcile_fill_sort BEFORE INSERT OR UPDATE ON public.pets
FOR EACH ROW WHEN (NEW.sort IS NULL) EXECUTE FUNCTION public.reconcile_fill_pets_sort();
