CREATE TABLE public.events (id integer, at date, note text) PARTITION BY RANGE (at);
CREATE TABLE public.events_2020 PARTITION OF public.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX events_at ON public.events (at);
CREATE INDEX events_2020_words ON public.events_2020 (lower(note), (id + 1)) WITH (fillfactor = 80);
CREATE MATERIALIZED VIEW public.days AS SELECT DISTINCT at FROM public.events;
