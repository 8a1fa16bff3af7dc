CREATE TABLE public.events (id integer NOT NULL, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX events_note ON public.events (note);
CREATE TABLE public.events_2020 PARTITION OF public.events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE public.events_2021 PARTITION OF public.events FOR VALUES FROM ('2021-01-01') TO ('2021-07-01');
CREATE TABLE public.events_2022 (id integer NOT NULL, at date NOT NULL, note text);
INSERT INTO public.events VALUES (1, '2020-05-05', 'old'), (2, '2021-02-02', 'new');
