CREATE TYPE public.status AS ENUM ('todo', 'done');
CREATE TABLE public.jobs (id integer, held public.status);
CREATE FUNCTION public.told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER z_before AFTER UPDATE OF held ON public.jobs FOR EACH ROW EXECUTE FUNCTION public.told();
CREATE TRIGGER when_done AFTER INSERT ON public.jobs FOR EACH ROW WHEN (NEW.held = 'done') EXECUTE FUNCTION public.told();
