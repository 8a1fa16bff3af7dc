CREATE TYPE public.state AS ENUM ('open', 'done');
CREATE TABLE public.jobs (id integer, state public.state) PARTITION BY LIST (state);
CREATE TABLE public.jobs_open PARTITION OF public.jobs FOR VALUES IN ('open');
