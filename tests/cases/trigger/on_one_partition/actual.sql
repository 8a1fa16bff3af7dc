CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE public.events (id integer) PARTITION BY RANGE (id);
CREATE TABLE public.events_0 PARTITION OF public.events FOR VALUES FROM (0) TO (10);
CREATE TABLE public.events_1 PARTITION OF public.events FOR VALUES FROM (10) TO (20);
CREATE TRIGGER note AFTER INSERT ON public.events FOR EACH ROW EXECUTE FUNCTION public.noted();
ALTER TABLE public.events_0 DISABLE TRIGGER note;
