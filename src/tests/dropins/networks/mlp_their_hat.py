import torch

class Net(torch.nn.Module):
    """ A gated network as the original writes them, with a skip connection """
    def __init__(self,inputsize,taskcla,nhid=100):
        super(Net,self).__init__()
        ncha,size,_=inputsize
        self.taskcla=taskcla
        self.relu=torch.nn.ReLU()
        self.encoder=torch.nn.Linear(ncha*size*size,nhid)
        self.fc1=torch.nn.Linear(nhid,nhid)
        self.gate=torch.nn.Sigmoid()
        self.eencoder=torch.nn.Embedding(len(self.taskcla),nhid)
        self.efc1=torch.nn.Embedding(len(self.taskcla),nhid)
        self.last=torch.nn.ModuleList()
        for t,n in self.taskcla:
            self.last.append(torch.nn.Linear(nhid,n))
        return

    def forward(self,t,x,s=1):
        masks=self.mask(t,s=s)
        h=self.relu(self.encoder(x.view(x.size(0),-1)))*masks[0]
        h=h+self.relu(self.fc1(h))*masks[1].expand_as(h)
        y=[]
        for t,i in self.taskcla:
            y.append(self.last[t](h))
        return y,masks

    def mask(self,t,s=1):
        return [self.gate(s*self.eencoder(t)),self.gate(s*self.efc1(t))]

    def get_view_for(self,n,masks):
        first,second=masks
        if n=='encoder.weight':
            return first.data.view(-1,1).expand_as(self.encoder.weight)
        elif n=='encoder.bias':
            return first.data.view(-1)
        elif n=='fc1.weight':
            post=second.data.view(-1,1).expand_as(self.fc1.weight)
            pre=first.data.view(1,-1).expand_as(self.fc1.weight)
            return torch.min(post,pre)
        elif n=='fc1.bias':
            return second.data.view(-1)
        return None
