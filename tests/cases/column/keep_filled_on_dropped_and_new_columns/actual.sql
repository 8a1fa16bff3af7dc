CREATE TABLE public.people (id int, n int, born int) PARTITION BY RANGE (id);
CREATE TABLE public.people_1 PARTITION OF public.people FOR VALUES FROM (0) TO (100);
CREATE FUNCTION public.reconcile_fill_people_n() RETURNS trigger LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp AS
'BEGIN
  NEW.n := (SELECT (id * 2) FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
CREATE TRIGGER reconcile_fill_n BEFORE INSERT OR UPDATE ON public.people
FOR EACH ROW WHEN (NEW.n IS NULL) EXECUTE FUNCTION public.reconcile_fill_people_n();
INSERT INTO public.people SELECT n FROM generate_series(0, 99) AS n;
