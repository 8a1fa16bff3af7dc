CREATE TYPE public.status AS ENUM ('todo', 'done');
CREATE TABLE public.jobs (id integer, status public.status);
CREATE FUNCTION public.told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER z_before AFTER UPDATE OF status ON public.jobs FOR EACH ROW EXECUTE FUNCTION public.told();
